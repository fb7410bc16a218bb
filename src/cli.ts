// The entry point. `cli/` is the only room that reads argv and ends the process.
import { startWaitingThread } from './plane/waiting-thread.ts';

// Next to this file, both as built for tests and bundled.
const threadUrl = new URL('./thread/thread.js', import.meta.url);
const loadThreadUrl = new URL('./config/loading/load-thread.js', import.meta.url);

// A server's data thread starts while the control plane loads its code.
const waitingThread = process.argv[2] === 'serve' ? startWaitingThread(threadUrl, 'data-0') : undefined;

void import('./cli/program.ts').then(({ runCommandLine }) => runCommandLine({ waitingThread, loadThreadUrl }));
