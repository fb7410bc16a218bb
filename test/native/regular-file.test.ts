import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:fs';
import { readFile, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { openRegularFile, readRegularFile, readRegularFileSync } from '../../src/native/regular-file.ts';
import { temporaryFolder } from '../support/command.ts';
import { requirement } from '../support/requirement.ts';

const linux = requirement('linux');

test('what is not a regular file is refused at once, with what it is', linux, async (t) => {
  const folder = await temporaryFolder(t);
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  const socket = join(folder, 'socket');
  const server = createServer().listen(socket);
  await once(server, 'listening');
  t.after(() => server.close());
  const kinds = [
    [pipe, 'a named pipe'],
    [folder, 'a folder'],
    ['/dev/zero', 'a device'],
    [socket, 'a socket, pipe or device'],
  ] as const;
  for (const [path, kind] of kinds) {
    const expected = { name: 'NotRegularFile', message: `'${path}' is ${kind}, not a regular file`, kind };
    await assert.rejects(readRegularFile(path), expected);
    assert.throws(() => readRegularFileSync(path), expected);
  }
  await assert.rejects(openRegularFile(pipe, constants.O_WRONLY | constants.O_APPEND), { name: 'NotRegularFile' });
});

test('a regular file is read whole, up to a limit, and the system’s errors stay as they are', async (t) => {
  const folder = await temporaryFolder(t);
  const file = join(folder, 'file');
  await writeFile(file, 'ä\n');
  assert.deepEqual([await readRegularFile(file), readRegularFileSync(file)], ['ä\n', 'ä\n']);
  const handle = await openRegularFile(file, constants.O_WRONLY | constants.O_APPEND);
  await handle.writeFile('more');
  await handle.close();
  assert.equal(await readFile(file, 'utf8'), 'ä\nmore');
  await truncate(file, 16 * 1024 * 1024 + 1);
  const tooLarge = { message: `'${file}' has 16777217 bytes, at most 16777216 are read` };
  await assert.rejects(readRegularFile(file), tooLarge);
  assert.throws(() => readRegularFileSync(file), tooLarge);
  await assert.rejects(readRegularFile(join(folder, 'absent')), { code: 'ENOENT' });
  assert.throws(() => readRegularFileSync(join(folder, 'absent')), { code: 'ENOENT' });
});
