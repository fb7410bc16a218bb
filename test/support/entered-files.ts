// Loaded before a server (`node --import`): in each of its threads V8 counts calls. When the parent process sends a message, it
// is sent the files of src/ in which a function was called since the last time, by any thread.
import { Session } from 'node:inspector';
import { BroadcastChannel, isMainThread } from 'node:worker_threads';

const session = new Session();
session.connect();
session.post('Profiler.enable');
session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });

/** As in src/, with the names of source files. */
function enteredFiles(): string[] {
  const files: string[] = [];
  session.post('Profiler.takePreciseCoverage', (_error, { result }) => {
    for (const { url, functions } of result) {
      const path = /\/build\/src\/(.*)\.js$/.exec(url)?.[1];
      const isEntered = functions.some(({ functionName, ranges }) => functionName !== '' && ranges[0].count > 0);
      if (path !== undefined && isEntered) files.push(`${path}.ts`);
    }
  });
  return files;
}

const requests = new BroadcastChannel('entered files, please');
const replies = new BroadcastChannel('entered files');
if (isMainThread) {
  process.on('message', (threads: number) => {
    const all = [enteredFiles()];
    replies.onmessage = ({ data }) => {
      all.push(data);
      if (all.length === threads) process.send?.([...new Set(all.flat())]);
    };
    requests.postMessage('');
  });
  process.channel?.unref();
} else requests.onmessage = () => replies.postMessage(enteredFiles());
for (const channel of [requests, replies]) channel.unref();
