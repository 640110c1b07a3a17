#!/usr/bin/env node
// Sends messages to Kafka, with the fetch of Node.js 18 or newer.
//
//     produce.mjs               a message in each of the API's forms
//     produce.mjs MESSAGES      a JSON array of messages, with their topics
//
// KAFKA_URL, KAFKA_USER and KAFKA_PASSWORD set the server and the user.

const {
    KAFKA_URL = "http://127.0.0.1:8080",
    KAFKA_USER = "myuser",
    KAFKA_PASSWORD = "mypass",
} = process.env;

const url = `${KAFKA_URL}/produce`;
const credentials = Buffer.from(`${KAFKA_USER}:${KAFKA_PASSWORD}`);
const headers = { Authorization: `Basic ${credentials.toString("base64")}` };

// Nothing of the request was sent.
class Refused extends Error { }

async function request(address, message) {
    const answer = await fetch(address, message === undefined ? { headers } :
        { method: "POST", headers, body: JSON.stringify(message) });
    return { answer, body: await answer.json() };
}

async function ask(address, message) {
    const { answer, body } = await request(address, message);
    if (!answer.ok) throw new Refused(body.error);
    return body;
}

// Sends messages, and retries those that failed and can still succeed.  Returns
// an entry for each message: its metadata, or why it is not in Kafka.  A message
// that is "maybe" in Kafka is sent again, and may be there twice.  If you would
// rather lose it, retry only what is persisted "no".
async function sendAll(messages, tries = 5) {
    const outcomes = messages.map(() => null);
    let left = [...messages.keys()], error;

    for (let i = 0; i < tries; i++) {
        const { answer, body } = await request(url, left.map(n => messages[n]));
        error = body.error;

        if (answer.ok || body.results) {
            const results = answer.ok ? body : body.results;
            left.forEach((n, i) => { outcomes[n] = results[i]; });
            left = left.filter(n => outcomes[n].retriable
                && outcomes[n].persisted !== "yes");
        } else if (![429, 503].includes(answer.status)) {
            break;
        }

        if (left.length === 0) break;
        const seconds = Number(answer.headers.get("Retry-After") ?? 1);
        await new Promise(resolve => setTimeout(resolve, 1000 * seconds));
    }

    if (outcomes.includes(null)) throw new Refused(error);
    return outcomes;
}

const show = value => console.log(JSON.stringify(value));

async function main() {
    if (process.argv.length > 2) {
        const outcomes = await sendAll(JSON.parse(process.argv[2]));
        show(outcomes);
        process.exitCode = outcomes.some(outcome => outcome.error) ? 1 : 0;
        return;
    }

    // one message in the path, which must be escaped; with a key
    show(await ask(`${url}/greetings/hello_kafka`));
    show(await ask(`${url}/cities/${encodeURIComponent("a/b & ü")}?key=city`));

    // one message, and several, to the topic of the path
    show(await ask(`${url}/cities`, {
        key: "city", value: "Istanbul",
        headers: [{ key: "expire", value: "1637745834756" }],
    }));
    show(await ask(`${url}/cities`, [
        { partition: 1, timestamp: 1637745834744, value: "London" },
        { partition: 2, timestamp: 1637745823147, value: "Tokyo" },
    ]));

    // to several topics
    show(await sendAll([
        { topic: "greetings", value: JSON.stringify({ hello: "world" }) },
        { topic: "cities", key: "city", value: "Paris" },
    ]));
}

main().catch(e => {
    console.error(e instanceof Refused ? `refused: ${e.message}` : e);
    process.exitCode = 1;
});
