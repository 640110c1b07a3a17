"""A small HTTP service that produces to Kafka and answers after acks=all, as
one would write it by hand: POST /produce/TOPIC {"value": "..."}.

    aio.py PORT BOOTSTRAP
"""

import json
import sys

from aiohttp import web
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
import uvloop


async def produce(request):
    try:
        message = json.loads(await request.read())
        value = message['value'].encode()
        key = message.get('key')
    except (ValueError, TypeError, KeyError, AttributeError):
        return web.json_response({'error': 'not a message'}, status=400)

    topic = request.match_info['topic']

    try:
        done = await request.app['producer'].send_and_wait(
            topic, value, key and key.encode())
    except KafkaError as e:
        return web.json_response({'error': str(e)}, status=503)

    return web.json_response([{
        'topic': topic, 'partition': done.partition, 'offset': done.offset,
        'timestamp': done.timestamp}])


async def with_producer(app):
    producer = AIOKafkaProducer(
        bootstrap_servers=sys.argv[2], acks='all', enable_idempotence=True,
        linger_ms=0, request_timeout_ms=10000)
    await producer.start()
    app['producer'] = producer
    yield
    await producer.stop()


def main():
    uvloop.install()

    app = web.Application()
    app.router.add_post('/produce/{topic}', produce)
    app.cleanup_ctx.append(with_producer)

    web.run_app(app, host='127.0.0.1', port=int(sys.argv[1]), backlog=4096,
                access_log=None, print=None)


main()
