// A data thread on a machine that has no batches.
Object.defineProperty(process, 'platform', { value: 'plan9' });
await import('../../src/thread/thread.ts');
