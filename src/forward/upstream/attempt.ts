// One question sent to one upstream server, once, over any transport.

export interface Attempt {
  /** As sent; the transport writes the ID. */
  readonly query: Uint8Array;
  /** Letters must come back as they were sent. */
  readonly exactSpelling: boolean;
  /** The transport's own: the socket or connection that it went out by; undefined: by none. */
  via: object | undefined;
  /** The accepted reply, valid until it returns. Called at most once, and then `failed` is not. */
  replied(message: Uint8Array): void;
  /** The transport knows that no reply will come: refused, reset, closed. Called at most once. */
  failed(reason: string): void;
}

/** The reason if we have no room, descriptor or memory: nothing was sent, and it is not a failure of the server. */
export const TOO_BUSY = 'too many queries in flight';

/** The same where the transport waits for a connection of its own. */
export const NOT_CONNECTED = 'is not connected';

export const isNotToBlame = (reason: string): boolean => reason === TOO_BUSY || reason === NOT_CONNECTED;

const OUR_LIMITS: readonly string[] = ['EAGAIN', 'ENOBUFS', 'ENOMEM', 'EMFILE', 'ENFILE'];

/** Why a socket failed, as a reason for `failed`. */
export function socketFailure(error: Error): string {
  return reasonOf((error as NodeJS.ErrnoException).code ?? error.message);
}

export function reasonOf(code: string): string {
  return OUR_LIMITS.includes(code) ? TOO_BUSY : code;
}

/** The reason if a connection delivers a message that matches no question. */
export const UNREADABLE = 'sent an invalid reply';

/** A way to send attempts to one address. It has no timeout: the caller cancels. */
export interface Transport {
  /** `attempt.failed` may be called before it returns. */
  send(attempt: Attempt): void;
  /** Neither `replied` nor `failed` is called any more. */
  cancel(attempt: Attempt): void;
  /** Sockets or connections that are open. */
  open(): number;
  close(): void;
}

/** Ignored messages with the reason; the wait continues. */
export interface TransportCounters {
  ignored(): void;
  socketOpened(): void;
}
