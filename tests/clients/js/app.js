// A Node.js service on eureka-js-client (npm), as it is released.
//
// The control routes and the environment are those of every application here (tests/clients/README.md). Its own:
//
//   USE_DELTAS=true   fetch deltas after the first full fetch, which this client does not do by itself
//
// The client has no way to change its own status: whatever it registers, it registers as UP.
'use strict';

const http = require('http');
const { Eureka } = require('eureka-js-client');

const PORT = Number(process.env.PORT);
const APPLICATION = process.env.APP_NAME || 'js-service';
const ASK_MS_MAX = 5000;
const TEXT = 'text/plain; charset=utf-8';

// What the client logs, with its level in front: its own logger drops it.
const logger = {};
for (const level of ['debug', 'info', 'warn', 'error']) {
  logger[level] = (...words) => level !== 'debug' && console.log(new Date().toISOString(), level.toUpperCase(), ...words);
}

const client = new Eureka({
  logger,
  shouldUseDelta: process.env.USE_DELTAS === 'true',
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
    heartbeatInterval: Number(process.env.RENEWAL_SECONDS) * 1000,
    registryFetchInterval: Number(process.env.FETCH_SECONDS || process.env.RENEWAL_SECONDS) * 1000,
  },
});

function seen() {
  return Object.entries(client.cache.app).flatMap(([app, instances]) => instances.map(({ instanceId, status, metadata }) => ({
    app,
    id: instanceId,
    status,
    metadata: metadata || {},
  })));
}

async function ask(name) {
  const [instance] = client.getInstancesByAppId(name);
  if (!instance) throw new Error(`no instance of ${name} is known here`);
  const answer = await fetch(`http://${instance.ipAddr}:${instance.port.$}/hello`, {
    signal: AbortSignal.timeout(ASK_MS_MAX),
  });
  return answer.text();
}

// The client's only way: what it will register is its configuration, and it registers when it is told to.
function setMetadata(pairs) {
  Object.assign(client.config.instance.metadata, Object.fromEntries(pairs));
  return new Promise((resolve, reject) => client.register((problem) => (problem ? reject(problem) : resolve('registered again'))));
}

function stop() {
  return new Promise((resolve, reject) => client.stop((problem) => (problem ? reject(problem) : resolve('cancelled'))));
}

async function answer(method, url) {
  const path = url.pathname;
  if (method === 'PUT' && path === '/status') return [501, 'eureka-js-client cannot change its status: it always registers as UP'];
  if (method === 'PUT' && path === '/metadata') return [200, await setMetadata(url.searchParams)];
  if (method === 'POST' && path === '/stop') return [200, await stop()];
  if (path === '/hello') return [200, 'hello from javascript'];
  if (path === '/seen') return [200, JSON.stringify(seen())];
  if (path.startsWith('/ask/')) return [200, await ask(path.slice('/ask/'.length))];
  if (path === '/metrics') return [200, `demo_instances_seen ${seen().length}\n`];
  return [404, 'GET /hello, /seen, /ask/NAME, /metrics; PUT /status, /metadata; POST /stop'];
}

const server = http.createServer((request, response) => {
  answer(request.method, new URL(request.url, 'http://127.0.0.1'))
    .catch((problem) => [500, String(problem)])
    .then(([status, body]) => {
      response.writeHead(status, { 'Content-Type': TEXT });
      response.end(body, () => {
        if (request.url === '/stop') process.exit(status === 200 ? 0 : 1);
      });
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
    stop().then(() => process.exit(0), (problem) => {
      console.error(`could not cancel: ${problem.message}`);
      process.exit(1);
    });
  });
}
