// Knot and Unbound on loopback, with configurations made by the test, stopped by their process id.
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { composeMessage } from '../../src/dns/message/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { FLAG, TYPE } from '../../src/dns/types.ts';
import { freePort } from './free-ports.ts';

export interface RealServer {
  readonly port: number;
  stop(): Promise<void>;
}

/** Authoritative for one zone, given as zone text with absolute names. */
export function startKnot(zone: string, zoneText: string): Promise<RealServer> {
  return onFreePort((port) => knot(zone, zoneText, port));
}

function knot(zone: string, zoneText: string, port: number): Promise<RealServer> {
  const home = mkdtempSync(join(tmpdir(), 'healthdns-knot-'));
  writeFileSync(join(home, 'zone'), zoneText);
  writeFileSync(
    join(home, 'knot.conf'),
    `server:\n  listen: 127.0.0.1@${port}\n  rundir: ${home}\ndatabase:\n  storage: ${home}\nlog:\n  - target: ${home}/log\n    any: info\n` +
      `zone:\n  - domain: ${zone}\n    file: ${home}/zone\n    zonefile-sync: -1\n    journal-content: none\n`,
  );
  const child = spawn('knotd', ['-c', join(home, 'knot.conf')], { stdio: 'ignore', env: withSbin() });
  return running(child, home, port, zone);
}

/** Recursive; `stubs` are zones and the port of the server on 127.0.0.1 that has them. */
export function startUnbound(stubs: Readonly<Record<string, number>>): Promise<RealServer> {
  return onFreePort((port) => unbound(stubs, port));
}

function unbound(stubs: Readonly<Record<string, number>>, port: number): Promise<RealServer> {
  const home = mkdtempSync(join(tmpdir(), 'healthdns-unbound-'));
  const zones = Object.entries(stubs).map(
    ([zone, at]) => `stub-zone:\n  name: "${zone}"\n  stub-addr: 127.0.0.1@${at}\n  stub-prime: no\n`,
  );
  writeFileSync(
    join(home, 'unbound.conf'),
    `server:\n  interface: 127.0.0.1@${port}\n  do-not-query-localhost: no\n  chroot: ""\n  username: ""\n  directory: "${home}"\n` +
      `  pidfile: "${home}/pid"\n  use-syslog: no\n  logfile: "${home}/log"\n  module-config: "iterator"\n  local-zone: "test." nodefault\n` +
      `  access-control: 127.0.0.0/8 allow\nremote-control:\n  control-enable: no\n${zones.join('')}`,
  );
  const child = spawn('unbound', ['-d', '-c', join(home, 'unbound.conf')], { stdio: 'ignore', env: withSbin() });
  return running(child, home, port, Object.keys(stubs)[0]);
}

const withSbin = () => ({ ...process.env, PATH: `${process.env.PATH}:/usr/sbin` });

/** Another test may take the port between our look and the server's bind: then it is tried with the next. */
async function onFreePort(start: (port: number) => Promise<RealServer>): Promise<RealServer> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(await freePort());
    } catch (error) {
      if (attempt === 5) throw error;
    }
  }
}

/** `home`: the server's folder, removed when it has ended. */
async function running(child: ChildProcess, home: string, port: number, zone: string): Promise<RealServer> {
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
    rmSync(home, { recursive: true, force: true });
  };
  const deadlineMs = Date.now() + 30_000;
  while (!(await answers(port, zone))) {
    if (child.exitCode !== null || Date.now() > deadlineMs) {
      await stop();
      throw new Error(`the server for ${zone} on port ${port} does not answer (exit code ${child.exitCode})`);
    }
  }
  return { port, stop };
}

/** Whether the zone's SOA is answered with NOERROR; waits a little for it. */
function answers(port: number, zone: string): Promise<boolean> {
  const questions = [{ name: parseName(zone), type: TYPE.SOA, class: 1 }];
  const query = composeMessage({ id: 1, flags: FLAG.RD, questions });
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    const done = (answered: boolean) => {
      clearTimeout(timer);
      socket.close();
      resolve(answered);
    };
    const timer = setTimeout(() => done(false), 200);
    socket.on('error', () => {}); // Nobody listens yet: the timer ends the wait.
    socket.on('message', (reply) => done((reply[3] & 15) === 0));
    socket.connect(port, '127.0.0.1', () => socket.send(query));
  });
}
