// The raw watch of pods: when the API server's word of a pod arrives at all. No server can know sooner.
import https from 'node:https';
import { nowMs } from './answer-poller.ts';

export interface PodEvents {
  /** Resolves with the time (`nowMs`) at which the pod's event arrived that says so. */
  until(pod: string, ready: boolean): Promise<number>;
  close(): void;
}

interface PodEvent {
  readonly object: {
    readonly metadata: { readonly name: string };
    readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
  };
}

export function watchPods(url: string, token: string, namespace: string): PodEvents {
  const waiting = new Set<(pod: string, ready: boolean) => void>();
  const request = https.get(
    `${url}/api/v1/namespaces/${namespace}/pods?watch=true`,
    { rejectUnauthorized: false, headers: { authorization: `Bearer ${token}` } },
    (response) => {
      let unread = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        const lines = (unread + text).split('\n');
        unread = lines.pop()!;
        for (const line of lines) {
          const { object }: PodEvent = JSON.parse(line);
          const ready = object.status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True';
          for (const tell of waiting) tell(object.metadata.name, ready);
        }
      });
    },
  );
  request.on('error', () => {}); // it is destroyed at the end

  return {
    until: (pod, ready) =>
      new Promise((resolve) => {
        const tell = (name: string, isReady: boolean) => {
          if (name !== pod || isReady !== ready) return;
          waiting.delete(tell);
          resolve(nowMs());
        };
        waiting.add(tell);
      }),
    close: () => request.destroy(),
  };
}
