// A rolling restart of many pods while their services are asked: no question may go unanswered, or be answered with nothing.
import { createSocket } from 'node:dgram';
import { composeMessage } from '../src/dns/compose-message.ts';
import { parseMessage } from '../src/dns/message.ts';
import { parseName } from '../src/dns/name.ts';
import { CLASS, TYPE } from '../src/dns/types.ts';
import { podStatus } from '../test/support/cluster-objects.ts';
import type { RestClient } from '../test/support/rest-client.ts';
import {
  type ClusterSize,
  namespaceOf,
  podName,
  pods,
  serviceName,
  sliceOf,
  slices,
  startPod,
} from './cluster-load.ts';

export interface Asked {
  readonly questions: number;
  /** No reply within a second. */
  readonly lost: number;
  /** Another rcode than NOERROR, or no address. */
  readonly empty: number;
}

const QUESTIONS_A_SECOND = 500;
const LOST_MS = 1_000;
const SERVICES_AT_A_TIME = 4;

/** Restarts every pod of the first `services` services, one a service at a time, as a Deployment does. */
export async function restartPods(client: RestClient, size: ClusterSize, services: number): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < services) await restartService(client, size, next++);
  };
  await Promise.all(Array.from({ length: SERVICES_AT_A_TIME }, worker));
}

async function restartService(client: RestClient, size: ClusterSize, number: number): Promise<void> {
  const namespace = namespaceOf(number);
  const generations = Array.from({ length: size.endpoints }, () => 0);
  const writeSlice = () =>
    client.replace(`${slices(namespace)}/${serviceName(number)}-abcde`, sliceOf(size, number, generations));
  for (let i = 0; i < size.endpoints; i++) {
    const old = `${pods(namespace)}/${podName(number, 0, i)}`;
    await startPod(client, size, number, 1, i);
    await client.patch(`${old}/status`, podStatus('10.0.0.1', false));
    generations[i] = -1;
    await writeSlice();
    await client.delete(old);
    generations[i] = 1;
    await writeSlice();
  }
}

/** Asks for the services in turn until `work` has ended. */
export async function askDuring(port: number, services: number, work: Promise<void>): Promise<Asked> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.connect(port, '127.0.0.1', resolve));
  const queries = Array.from({ length: services }, (_, number) => {
    const name = parseName(`${serviceName(number)}.${namespaceOf(number)}.svc.cluster.local.`);
    return Buffer.from(composeMessage({ questions: [{ name, type: TYPE.A, class: CLASS.IN }] }));
  });
  const waiting = new Map<number, number>();
  let [questions, lost, empty] = [0, 0, 0];
  socket.on('message', (reply) => {
    waiting.delete(reply.readUInt16BE(0));
    const { rcode, answers } = parseMessage(reply);
    if (rcode !== 0 || answers.length === 0) empty++;
  });
  const sweep = (beforeMs: number) => {
    for (const [id, sentMs] of waiting) {
      if (sentMs > beforeMs) continue;
      waiting.delete(id);
      lost++;
    }
  };
  const startMs = performance.now();
  const timer = setInterval(() => {
    const due = ((performance.now() - startMs) / 1000) * QUESTIONS_A_SECOND;
    for (; questions < due; questions++) {
      const query = queries[questions % services]!;
      query.writeUInt16BE(questions & 0xffff, 0);
      waiting.set(questions & 0xffff, performance.now());
      socket.send(query);
    }
    sweep(performance.now() - LOST_MS);
  }, 5);
  await work;
  clearInterval(timer);
  await new Promise((resolve) => setTimeout(resolve, LOST_MS));
  sweep(performance.now());
  socket.close();
  return { questions, lost, empty };
}
