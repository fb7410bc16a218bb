// The entry point. `cli/` is the only room that reads argv and ends the process.
import { fileURLToPath } from 'node:url';
import { endWith, nodeOptions } from './cli/node.ts';
import { startWaitingThread } from './plane/waiting-thread.ts';

// Next to this file, both as built for tests and bundled.
const threadUrl = new URL('./thread/thread.js', import.meta.url);
const loadThreadUrl = new URL('./config/loading/load-thread.js', import.meta.url);

// A data thread starts while the control plane is still loading its code.
const waitingThread = process.argv[2] === 'serve' ? startWaitingThread(threadUrl, 'data-0') : undefined;

const nodePath = fileURLToPath(new URL('./node/main.js', import.meta.url));

// The agent of a node does not need the command line.
const node = nodeOptions(process.argv);

/** As in src/node/main.ts, which is known by its path only, as a data thread is. */
type NodeMain = { runNode(options: NonNullable<typeof node>): Promise<number> };

if (node !== undefined) void import(nodePath).then((main: NodeMain) => main.runNode(node)).then(endWith);
else void import('./cli/program.ts').then(({ runCommandLine }) => runCommandLine({ waitingThread, loadThreadUrl }));
