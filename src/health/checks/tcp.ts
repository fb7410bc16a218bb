import { connect } from 'node:net';
import type { CheckResult } from '../rules/ecs.ts';
import { type CheckTarget, endpoint, failed, failedBy, passed } from './probe.ts';

/** Passes when the address takes a connection, which is closed at once. */
export function probeTcp({ address, port }: CheckTarget, signal: AbortSignal): Promise<CheckResult> {
  if (port === 0) return Promise.resolve(failed('no port to connect to: add one to the instance or its health check'));
  return new Promise((resolve) => {
    let result = failed(`connection to ${endpoint(address, port)} closed`);
    const socket = connect({ host: address, port });
    const abort = () => socket.destroy();
    socket.once('connect', () => {
      result = passed(`connected to ${endpoint(address, port)}`);
      socket.destroy();
    });
    socket.once('error', (error) => {
      result = failedBy(error);
    });
    socket.once('close', () => {
      signal.removeEventListener('abort', abort);
      resolve(result);
    });
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
  });
}
