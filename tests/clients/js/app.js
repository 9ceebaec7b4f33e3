// A Node.js service that registers with eureka-js-client (npm), as it is released.
//
// Shows that it registers, renews, finds the other services and calls them by name, and cancels itself when it is stopped.
//
//   GET /hello        says who answers
//   GET /seen         what this client's own cache holds: {"APPLICATION": [{"id", "status", "language"}]}
//   GET /ask/NAME     finds NAME through the client, calls its /hello and passes the answer on
//   GET /metrics      how many instances it sees, for Prometheus
//
// Environment: PORT, EUREKA_URLS (comma-separated, in the order in which to try them), RENEWAL_SECONDS, LEASE_SECONDS.
'use strict';

const http = require('http');
const { Eureka } = require('eureka-js-client');

const PORT = Number(process.env.PORT);
const RENEWAL_MS = Number(process.env.RENEWAL_SECONDS) * 1000;
const APPLICATION = 'js-service';
const ASK_MS_MAX = 5000;

const client = new Eureka({
  instance: {
    app: APPLICATION,
    instanceId: `127.0.0.1:${APPLICATION}:${PORT}`,
    hostName: '127.0.0.1',
    ipAddr: '127.0.0.1',
    vipAddress: APPLICATION,
    port: { $: PORT, '@enabled': 'true' },
    dataCenterInfo: { '@class': 'com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo', name: 'MyOwn' },
    leaseInfo: {
      renewalIntervalInSecs: Number(process.env.RENEWAL_SECONDS),
      durationInSecs: Number(process.env.LEASE_SECONDS),
    },
    metadata: { language: 'javascript' },
  },
  eureka: {
    serviceUrls: { default: process.env.EUREKA_URLS.split(',').map((url) => `${url.replace(/\/$/, '')}/apps/`) },
    heartbeatInterval: RENEWAL_MS,
    registryFetchInterval: RENEWAL_MS,
  },
});

function seen() {
  const view = {};
  for (const [application, instances] of Object.entries(client.cache.app)) {
    view[application] = instances.map(({ instanceId, status, metadata }) => ({
      id: instanceId,
      status,
      language: metadata && metadata.language,
    }));
  }
  return view;
}

async function ask(name) {
  const [instance] = client.getInstancesByAppId(name);
  if (!instance) throw new Error(`no instance of ${name} is known here`);
  const answer = await fetch(`http://${instance.ipAddr}:${instance.port.$}/hello`, {
    signal: AbortSignal.timeout(ASK_MS_MAX),
  });
  return answer.text();
}

async function bodyOf(path) {
  if (path === '/hello') return 'hello from javascript';
  if (path === '/seen') return JSON.stringify(seen());
  if (path.startsWith('/ask/')) return ask(path.slice('/ask/'.length));
  if (path === '/metrics') return `demo_instances_seen ${Object.values(seen()).flat().length}\n`;
  return 'GET /hello, /seen, /ask/NAME or /metrics';
}

const server = http.createServer((request, response) => {
  bodyOf(request.url)
    .then((body) => [200, body], (problem) => [500, String(problem)])
    .then(([status, body]) => {
      response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' });
      response.end(body);
    });
});

// This client gives up if its first registration fails, so a process that could not register ends and says so.
server.listen(PORT, '127.0.0.1', () => {
  client.start((problem) => {
    if (problem) {
      console.error(`could not register: ${problem.message}`);
      process.exit(1);
    }
  });
});

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => {
    client.stop((problem) => {
      if (problem) console.error(`could not cancel: ${problem.message}`);
      process.exit(problem ? 1 : 0);
    });
  });
}
