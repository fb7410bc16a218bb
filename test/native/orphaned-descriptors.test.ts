import assert from 'node:assert/strict';
import { closeSync, existsSync, fstatSync, openSync, readlinkSync } from 'node:fs';
import { test } from 'node:test';
import { createEpoll } from '../../src/native/epoll.ts';
import { AF_INET, EPOLLIN, type Libc, loadLibc, SOCK_CLOEXEC, SOCK_DGRAM } from '../../src/native/libc.ts';
import { closeOrphans, reportDescriptor } from '../../src/native/orphaned-descriptors.ts';
import { requirement } from '../support/requirement.ts';

const libc = loadLibc() as Libc;
const openUdp = () => libc.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
const isOpen = (fd: number) => existsSync(`/proc/self/fd/${fd}`);

test(
  'the sockets of a dead thread are closed, including those that its epoll descriptor watches',
  requirement('linux'),
  () => {
    const [socket, listener, connection] = [openUdp(), openUdp(), openUdp()];
    const epoll = createEpoll(libc, 4);
    epoll.add(listener, 0, EPOLLIN);
    const reported = [reportDescriptor(socket)!, reportDescriptor(epoll.fd, listener)!];
    // Accepted after the report.
    epoll.add(connection, 1, EPOLLIN);
    closeOrphans(reported);
    for (const fd of [socket, listener, connection, epoll.fd]) assert.ok(!isOpen(fd), `descriptor ${fd} is open`);
  },
);

test('a descriptor number that has been reused is left open', requirement('linux'), () => {
  const socket = openUdp();
  const reported = reportDescriptor(socket)!;
  libc.close(socket);
  const file = openSync('/dev/null', 'r');
  assert.equal(file, socket, 'the lowest free number is used');
  closeOrphans([reported]);
  assert.ok(fstatSync(file).isCharacterDevice());
  closeSync(file);
  const other = openUdp();
  assert.equal(other, socket);
  closeOrphans([reported]);
  assert.match(readlinkSync(`/proc/self/fd/${other}`), /^socket:/);
  libc.close(other);
});

test(
  'a different epoll descriptor with the same number, and what it watches, is left open',
  requirement('linux'),
  () => {
    const [listener, other] = [openUdp(), openUdp()];
    const first = createEpoll(libc, 4);
    first.add(listener, 0, EPOLLIN);
    const reported = reportDescriptor(first.fd, listener)!;
    first.close();
    libc.close(listener);
    const held = openSync('/dev/null', 'r');
    const second = createEpoll(libc, 4);
    assert.equal(second.fd, first.fd);
    second.add(other, 0, EPOLLIN);
    closeOrphans([reported]);
    assert.ok(isOpen(second.fd) && isOpen(other));
    second.close();
    libc.close(other);
    closeSync(held);
  },
);
