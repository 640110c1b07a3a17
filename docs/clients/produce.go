// Sends messages to Kafka, with the standard library of Go 1.19 or newer.
//
//	go run produce.go             a message in each of the API's forms
//	go run produce.go MESSAGES    a JSON array of messages, with their topics
//
// KAFKA_URL, KAFKA_USER and KAFKA_PASSWORD set the server and the user.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"
)

type Header struct {
	Key   string  `json:"key"`
	Value *string `json:"value"`
}

type Message struct {
	Topic     string   `json:"topic,omitempty"`
	Partition *int32   `json:"partition,omitempty"`
	Timestamp int64    `json:"timestamp,omitempty"`
	Key       *string  `json:"key,omitempty"`
	Value     string   `json:"value"`
	Headers   []Header `json:"headers,omitempty"`
}

// Outcome is the metadata of a message in Kafka or, with an Error, what happened
// to one that was not acknowledged.
type Outcome struct {
	Topic     string `json:"topic"`
	Partition *int32 `json:"partition,omitempty"`
	Offset    *int64 `json:"offset,omitempty"`
	Timestamp int64  `json:"timestamp,omitempty"`
	Error     string `json:"error,omitempty"`
	Code      string `json:"code,omitempty"`
	Retriable bool   `json:"retriable,omitempty"`
	Persisted string `json:"persisted,omitempty"`
}

// Refused is an error of a request of which nothing was sent, or of one in
// whose Results each message has its outcome.
type Refused struct {
	Message string    `json:"error"`
	Status  int       `json:"status"`
	Results []Outcome `json:"results"`

	wait time.Duration
}

func (r *Refused) Error() string { return "refused: " + r.Message }

var (
	base   = env("KAFKA_URL", "http://127.0.0.1:8080") + "/produce"
	client = http.Client{Timeout: 30 * time.Second}
)

func env(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func do(method, address string, body, answer any) error {
	data := []byte{}
	if body != nil {
		var err error
		if data, err = json.Marshal(body); err != nil {
			return err
		}
	}

	request, err := http.NewRequest(method, address, bytes.NewReader(data))
	if err != nil {
		return err
	}
	request.SetBasicAuth(env("KAFKA_USER", "myuser"),
		env("KAFKA_PASSWORD", "mypass"))

	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()

	// to its end, or the connection would not be used again
	data, err = io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode == http.StatusOK {
		return json.Unmarshal(data, answer)
	}

	refused := &Refused{wait: time.Second}
	if err := json.Unmarshal(data, refused); err != nil {
		return fmt.Errorf("%s: %w", response.Status, err)
	}
	n, err := strconv.Atoi(response.Header.Get("Retry-After"))
	if err == nil {
		refused.wait = time.Duration(n) * time.Second
	}
	return refused
}

// Get sends one message, in the path.
func Get(topic, message string, query url.Values) (Outcome, error) {
	var outcome Outcome
	address := base + "/" + url.PathEscape(topic) + "/" + url.PathEscape(message)
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	err := do(http.MethodGet, address, nil, &outcome)
	return outcome, err
}

// Post sends messages to a topic or, if that is empty, to those they name.
func Post(topic string, messages ...Message) ([]Outcome, error) {
	var outcomes []Outcome
	address := base
	if topic != "" {
		address += "/" + url.PathEscape(topic)
	}
	err := do(http.MethodPost, address, messages, &outcomes)
	return outcomes, err
}

// PostAll sends messages, and retries those that failed and can still succeed.
// A message that is "maybe" in Kafka is sent again, and may be there twice.  If
// you would rather lose it, retry only what is persisted "no".
func PostAll(tries int, messages ...Message) ([]Outcome, error) {
	outcomes := make([]Outcome, len(messages))
	known := false
	left := make([]int, len(messages))
	for i := range left {
		left[i] = i
	}

	for {
		some := make([]Message, len(left))
		for i, n := range left {
			some[i] = messages[n]
		}

		results, err := Post("", some...)
		refused, _ := err.(*Refused)

		if err != nil && refused == nil {
			return nil, err
		}
		if refused != nil {
			results = refused.Results
		}

		if refused == nil || results != nil {
			var again []int
			for i, n := range left {
				outcomes[n] = results[i]
				if results[i].Retriable && results[i].Persisted != "yes" {
					again = append(again, n)
				}
			}
			left, known = again, true
		} else if refused.Status != 429 && refused.Status != 503 {
			tries = 1
		}

		if tries--; len(left) == 0 || tries == 0 {
			if !known {
				return nil, refused
			}
			return outcomes, nil
		}
		time.Sleep(refused.wait)
	}
}

func pointer[T any](value T) *T { return &value }

func show(value any, err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	text, _ := json.Marshal(value)
	fmt.Println(string(text))
}

func main() {
	if len(os.Args) > 1 {
		sendArgument(os.Args[1])
		return
	}

	// one message in the path, where it is escaped; with a key
	show(Get("greetings", "hello_kafka", nil))
	show(Get("cities", "a/b & ü", url.Values{"key": {"city"}}))

	// one message, and several, to the topic of the path
	show(Post("cities", Message{Key: pointer("city"), Value: "Istanbul",
		Headers: []Header{{"expire", pointer("1637745834756")}}}))
	show(Post("cities",
		Message{Partition: pointer(int32(1)), Timestamp: 1637745834744,
			Value: "London"},
		Message{Partition: pointer(int32(2)), Timestamp: 1637745823147,
			Value: "Tokyo"}))

	// to several topics
	show(PostAll(5,
		Message{Topic: "greetings", Value: `{"hello": "world"}`},
		Message{Topic: "cities", Key: pointer("city"), Value: "Paris"}))
}

func sendArgument(text string) {
	var messages []Message
	if err := json.Unmarshal([]byte(text), &messages); err != nil {
		show(nil, err)
	}

	outcomes, err := PostAll(5, messages...)
	show(outcomes, err)
	for _, outcome := range outcomes {
		if outcome.Error != "" {
			os.Exit(1)
		}
	}
}
