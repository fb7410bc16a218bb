/** The arguments make no query. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The server gave no reply that can be read; the message says what it did instead. */
export class NoReplyError extends Error {
  override readonly name = 'NoReplyError';
}
