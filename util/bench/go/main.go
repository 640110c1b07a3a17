// A small HTTP service that produces to Kafka and answers after acks=all, as
// one would write it by hand: POST /produce/TOPIC {"value": "..."}.
//
//	go-service PORT BOOTSTRAP
package main

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

type message struct {
	Value *string `json:"value"`
	Key   *string `json:"key"`
}

type metadata struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	Timestamp int64  `json:"timestamp"`
}

func main() {
	// The defaults are an idempotent producer, acks=all, and five requests in
	// flight.
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(os.Args[2], ",")...),
		kgo.ProducerLinger(0),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.RecordDeliveryTimeout(10*time.Second),
	)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	http.HandleFunc("/produce/", func(w http.ResponseWriter, r *http.Request) {
		produce(client, w, r)
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}

func produce(client *kgo.Client, w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}

	var m message
	if json.Unmarshal(body, &m) != nil || m.Value == nil {
		http.Error(w, `{"error":"not a message"}`, http.StatusBadRequest)
		return
	}

	record := &kgo.Record{
		Topic: strings.TrimPrefix(r.URL.Path, "/produce/"),
		Value: []byte(*m.Value),
	}
	if m.Key != nil {
		record.Key = []byte(*m.Key)
	}

	// A client that leaves does not take its message back.
	done := make(chan error, 1)
	client.Produce(context.Background(), record,
		func(_ *kgo.Record, err error) { done <- err })
	if err := <-done; err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}

	answer, err := json.Marshal([]metadata{{
		record.Topic, record.Partition, record.Offset,
		record.Timestamp.UnixMilli(),
	}})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(answer)
}
