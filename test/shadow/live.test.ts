import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { composeQuery } from '../../src/shadow/answers/question.ts';
import { listenForDnstap } from '../../src/shadow/live.ts';
import { createNotes } from '../../src/shadow/questions/notes.ts';
import { control, dnstapMessage, lengthAndBytes } from '../support/captures.ts';
import { temporaryFolder } from '../support/command.ts';
import { until } from '../support/until.ts';

const START = control(2, 'protobuf:dnstap.Dnstap');
const queried = (name: string): Buffer =>
  lengthAndBytes(
    dnstapMessage({ type: 5, protocol: 1, message: composeQuery({ name, type: 'A', way: { transport: 'udp' } }) }),
  );

function sender(t: TestContext, path: string): Socket {
  const socket = connect(path);
  t.after(() => socket.destroy());
  return socket;
}

async function listening(t: TestContext) {
  const path = join(await temporaryFolder(t), 'dnstap.sock');
  const notes = createNotes();
  const live = await listenForDnstap({ path }, notes);
  t.after(() => live.close());
  return { path, notes, live, questions: live.questions[Symbol.asyncIterator]() };
}

test('questions of several senders arrive over a socket; a broken one does not disturb the others', async (t) => {
  const { path, notes, questions } = await listening(t);
  const [one, broken, other] = [sender(t, path), sender(t, path), sender(t, path)];
  one.write(Buffer.concat([START, queried('a.example.')]));
  assert.equal((await questions.next()).value.name, 'a.example.');
  broken.write(Buffer.alloc(64, 0x7f));
  await until(() => notes.damage !== undefined, true);
  other.write(Buffer.concat([START, queried('b.example.')]));
  assert.equal((await questions.next()).value.name, 'b.example.');
  one.write(queried('c.example.'));
  assert.equal((await questions.next()).value.name, 'c.example.');
});

test('questions that arrive faster than they are asked are dropped and counted, and the sender never waits', async (t) => {
  const { path, notes, live, questions } = await listening(t);
  const socket = sender(t, path);
  socket.write(START);
  const frame = queried('a.example.');
  for (let i = 0; i < 250; i++) socket.write(Buffer.concat(new Array(100).fill(frame)));
  await until(() => notes.read, 25_000);
  await until(() => live.dropped(), 5_000);
  assert.equal((await questions.next()).value.name, 'a.example.');
});
