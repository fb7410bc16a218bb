// The two ways to a connected UDP socket: node:dgram and system calls.
import { NativeDatagrams, type OpenSocket, openDatagram } from '../../src/native/connected-datagram.ts';
import { loadLibc } from '../../src/native/libc.ts';

export interface DatagramWay {
  readonly open: OpenSocket;
  /** Reads what has arrived, where nothing else does. */
  read(): void;
  close(): void;
}

const libc = loadLibc();

export const DATAGRAM_WAYS: Readonly<Record<string, { make: () => DatagramWay; skip: string | false }>> = {
  'node:dgram': { make: () => ({ open: openDatagram, read() {}, close() {} }), skip: false },
  'system calls': {
    make() {
      const datagrams = new NativeDatagrams(libc as Exclude<typeof libc, string>);
      return {
        open: (...socket) => datagrams.open(...socket),
        read: () => void datagrams.drain(),
        close: () => datagrams.close(),
      };
    },
    skip: typeof libc === 'string' ? libc : false,
  },
};
