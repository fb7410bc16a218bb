// A data thread as ever: the push thread is looked for beside it.
import '../../../src/thread/thread.ts';
