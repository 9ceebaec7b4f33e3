// A Go service on fargo, as it is released.
//
// The control routes and the environment are those of every application here (tests/clients/README.md). fargo has no timers of
// its own for renewals and for fetches of everything, so this application does what a user of it has to: it calls
// HeartBeatInstance every RENEWAL_SECONDS, ReregisterInstance when that says 404, and GetApps every FETCH_SECONDS. Each of
// them asks one of the servers, picked at random, and does not try another.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hudl/fargo"
	"github.com/op/go-logging"
)

const (
	askMax  = 5 * time.Second
	stopMax = 8 // attempts, each at a server picked at random
	usage   = "GET /hello, /seen, /ask/NAME, /metrics; PUT /status, /metadata; POST /stop"
)

type seen struct {
	App      string            `json:"app"`
	Id       string            `json:"id"`
	Status   string            `json:"status"`
	Metadata map[string]string `json:"metadata"`
}

type service struct {
	connection fargo.EurekaConnection
	instance   *fargo.Instance
	// Between the timers and the control routes: the library changes the instance that it is given.
	lock sync.Mutex
	apps map[string]*fargo.Application
}

func main() {
	// What the library logs, with its level in front.
	logging.SetBackend(logging.NewLogBackend(os.Stdout, "", 0))
	logging.SetFormatter(logging.MustStringFormatter("%{time:15:04:05.000} %{level} %{module} %{message}"))
	logging.SetLevel(logging.NOTICE, "fargo")

	service := newService()
	if err := service.connection.RegisterInstance(service.instance); err != nil {
		log.Fatalf("could not register: %v", err)
	}
	service.fetch()
	go every(seconds("RENEWAL_SECONDS", ""), service.renew)
	go every(seconds("FETCH_SECONDS", "RENEWAL_SECONDS"), service.fetch)
	go service.stopOnSignal()
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), http.HandlerFunc(service.serve)))
}

func newService() *service {
	name := os.Getenv("APP_NAME")
	if name == "" {
		name = "go-service"
	}
	port, err := strconv.Atoi(os.Getenv("PORT"))
	if err != nil {
		log.Fatalf("PORT: %v", err)
	}
	instance := &fargo.Instance{
		InstanceId:     fmt.Sprintf("127.0.0.1:%s:%d", name, port),
		HostName:       "127.0.0.1",
		App:            strings.ToUpper(name),
		IPAddr:         "127.0.0.1",
		VipAddress:     name,
		Status:         fargo.UP,
		Port:           port,
		PortEnabled:    true,
		DataCenterInfo: fargo.DataCenterInfo{Name: fargo.MyOwn},
		LeaseInfo: fargo.LeaseInfo{
			RenewalIntervalInSecs: int32(seconds("RENEWAL_SECONDS", "") / time.Second),
			DurationInSecs:        int32(seconds("LEASE_SECONDS", "") / time.Second),
		},
	}
	instance.SetMetadataString("language", "go")
	var urls []string
	for _, url := range strings.Split(os.Getenv("EUREKA_URLS"), ",") {
		urls = append(urls, strings.TrimSuffix(url, "/"))
	}
	connection := fargo.NewConn(urls...)
	connection.UseJson = os.Getenv("USE_JSON") == "true"
	return &service{connection: connection, instance: instance}
}

func (s *service) renew() {
	s.lock.Lock()
	defer s.lock.Unlock()
	err := s.connection.HeartBeatInstance(s.instance)
	if code, ok := fargo.HTTPResponseStatusCode(err); ok && code == http.StatusNotFound {
		s.connection.ReregisterInstance(s.instance)
	}
}

func (s *service) fetch() {
	apps, err := s.connection.GetApps()
	if err != nil {
		return // the library has logged it; the next one may find a server that answers
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	s.apps = apps
}

func (s *service) seen() []seen {
	s.lock.Lock()
	defer s.lock.Unlock()
	all := []seen{}
	for name, application := range s.apps {
		for _, instance := range application.Instances {
			metadata := map[string]string{}
			for key := range instance.Metadata.GetMap() {
				metadata[key], _ = instance.Metadata.GetString(key)
			}
			all = append(all, seen{name, instance.Id(), string(instance.Status), metadata})
		}
	}
	return all
}

func (s *service) ask(name string) (string, error) {
	s.lock.Lock()
	application := s.apps[strings.ToUpper(name)]
	s.lock.Unlock()
	if application == nil || len(application.Instances) == 0 {
		return "", fmt.Errorf("no instance of %s is known here", name)
	}
	instance := application.Instances[0]
	client := http.Client{Timeout: askMax}
	answer, err := client.Get(fmt.Sprintf("http://%s:%d/hello", instance.IPAddr, instance.Port))
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return string(body), err
}

func (s *service) setStatus(value string) error {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.connection.UpdateInstanceStatus(s.instance, fargo.StatusType(value))
}

func (s *service) setMetadata(query map[string][]string) error {
	s.lock.Lock()
	defer s.lock.Unlock()
	for key, values := range query {
		if err := s.connection.AddMetadataString(s.instance, key, values[0]); err != nil {
			return err
		}
	}
	return nil
}

func (s *service) cancel() error {
	s.lock.Lock()
	defer s.lock.Unlock()
	var err error
	for attempt := 0; attempt < stopMax; attempt++ {
		if err = s.connection.DeregisterInstance(s.instance); err == nil {
			return nil
		}
	}
	return err
}

func (s *service) stopOnSignal() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	<-signals
	s.end(s.cancel())
}

func (s *service) end(err error) {
	if err != nil {
		log.Fatalf("could not cancel: %v", err)
	}
	os.Exit(0)
}

func (s *service) serve(response http.ResponseWriter, request *http.Request) {
	text, err := "done", error(nil)
	switch path := request.URL.Path; {
	case request.Method == http.MethodPut && path == "/status":
		err = s.setStatus(request.URL.Query().Get("value"))
	case request.Method == http.MethodPut && path == "/metadata":
		err = s.setMetadata(request.URL.Query())
	case request.Method == http.MethodPost && path == "/stop":
		err = s.cancel()
		defer s.end(err)
	case path == "/hello":
		text = "hello from go"
	case path == "/seen":
		var document []byte
		document, err = json.Marshal(s.seen())
		text = string(document)
	case path == "/metrics":
		text = fmt.Sprintf("demo_instances_seen %d\n", len(s.seen()))
	case strings.HasPrefix(path, "/ask/"):
		text, err = s.ask(strings.TrimPrefix(path, "/ask/"))
	default:
		response.WriteHeader(http.StatusNotFound)
		text = usage
	}
	if err != nil {
		response.WriteHeader(http.StatusInternalServerError)
		text = err.Error()
	}
	io.WriteString(response, text)
	if flusher, ok := response.(http.Flusher); ok {
		flusher.Flush()
	}
}

func every(interval time.Duration, work func()) {
	for range time.Tick(interval) {
		work()
	}
}

// seconds out of the environment variable `name`, else out of `fallback`.
func seconds(name, fallback string) time.Duration {
	text := os.Getenv(name)
	if text == "" {
		text = os.Getenv(fallback)
	}
	number, err := strconv.Atoi(text)
	if err != nil {
		log.Fatalf("%s: %v", name, err)
	}
	return time.Duration(number) * time.Second
}
