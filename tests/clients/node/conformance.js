// node conformance.js CASES: asks what a file of cases holds, through ioredis and node-redis, and prints the replies as
// JSON lines: {"client", "how", "replies"}. A byte string is {"b": base64}, an error {"error": its first word}.
'use strict';

const fs = require('node:fs');
const Redis = require('ioredis');
const { createClient, RESP_TYPES } = require('redis');

const task = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
const commands = task.commands.map((words) => words.map((word) => Buffer.from(word, 'base64')));
const login = { host: '127.0.0.1', port: task.port, username: task.user, password: task.password };

function plain(reply) {
  if (reply instanceof Error) return { error: reply.message.split(' ')[0] };
  if (Buffer.isBuffer(reply)) return { b: reply.toString('base64') };
  if (typeof reply === 'string') return { b: Buffer.from(reply).toString('base64') };
  if (Array.isArray(reply)) return reply.map(plain);
  if (reply !== null && typeof reply === 'object') {  // a map of RESP3
    return Object.entries(reply).flatMap(([name, value]) => [plain(name), plain(value)]);
  }
  return reply;
}

function tell(client, how, replies) {
  console.log(JSON.stringify({ client, how, replies: replies.map(plain) }));
}

const caught = (promise) => promise.catch((error) => error);

async function throughIoredis() {
  const redis = new Redis({ ...login, lazyConnect: true, maxRetriesPerRequest: 1 });
  await redis.connect();
  const ask = (connection, words) => caught(connection.callBuffer(words[0].toString(), ...words.slice(1)));
  const replies = [];
  for (const words of commands) replies.push(await ask(redis, words));
  tell('ioredis', 'one by one', replies);

  const pipeline = redis.pipeline();
  for (let i = 0; i < task.pipeline; ++i) {
    const words = commands[i % commands.length];
    pipeline.callBuffer(words[0].toString(), ...words.slice(1));
  }
  tell('ioredis', 'pipeline', (await pipeline.exec()).map(([error, reply]) => error || reply));
  redis.disconnect();

  const pool = Array.from({ length: task.connections }, () => new Redis(login));
  const all = await Promise.all(pool.map((one, i) => ask(one, commands[i % commands.length])));
  tell('ioredis', 'pool', all);
  pool.forEach((one) => one.disconnect());
}

async function throughNodeRedis(RESP) {
  const client = createClient({
    RESP, username: task.user, password: task.password, socket: { host: '127.0.0.1', port: task.port },
    commandOptions: { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer, [RESP_TYPES.SIMPLE_STRING]: Buffer } },
  });
  client.on('error', (error) => { throw error; });
  await client.connect();
  const replies = [];
  for (const words of commands) replies.push(await caught(client.sendCommand(words)));
  tell('node-redis', `RESP${RESP}`, replies);
  await client.close();
}

(async () => {
  await throughIoredis();
  await throughNodeRedis(2);
  await throughNodeRedis(3);
})().catch((error) => { console.error(error); process.exit(1); });
