#!/usr/bin/env node
// Sends messages to Kafka with the npm package @upstash/kafka, unchanged.
//
//     npm install @upstash/kafka@1.3.5
//
// KAFKA_URL, KAFKA_USER and KAFKA_PASSWORD say where to and as whom.  The URL
// has no /produce at its end: the client adds it.

import { Kafka } from "@upstash/kafka";

const kafka = new Kafka({
    url: process.env.KAFKA_URL ?? "http://127.0.0.1:8080",
    username: process.env.KAFKA_USER ?? "myuser",
    password: process.env.KAFKA_PASSWORD ?? "mypass",
});
const producer = kafka.producer();

const show = value => console.log(JSON.stringify(value));

// Values that are no strings are sent as JSON.
show(await producer.produce("greetings", "hello_kafka"));
show(await producer.produce("cities", "a/b & ü", { key: "city" }));
show(await producer.produce("cities", "Istanbul", {
    key: "city",
    headers: [{ key: "expire", value: "1637745834756" }],
}));
show(await producer.produceMany([
    { topic: "cities", value: "London", partition: 1,
      timestamp: 1637745834744 },
    { topic: "cities", value: "Tokyo", partition: 2,
      timestamp: 1637745823147 },
]));
show(await producer.produceMany([
    { topic: "greetings", value: { hello: "world" } },
    { topic: "cities", key: "city", value: "Paris" },
]));

// The client retries after any error, five times within 16 s, and then throws.
// It does not say which of several messages failed.  To know that, send one
// message a request.
try {
    await producer.produce("no-such-topic", "lost");
} catch (e) {
    console.error(`refused: ${e.message}`);
}
