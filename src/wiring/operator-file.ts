// Orders of operators about instances that neither a pod nor Cloud Map can keep: in a file, or in memory without one.
import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { formatOrder, type OperatorOrder, parseOrder } from '../health/operator-order.ts';
import { readRegularFileSync } from '../native/regular-file.ts';

/** By the subjects of the instances. */
export type Orders = ReadonlyMap<string, OperatorOrder>;

const MAX_BYTES = 4 * 1024 * 1024;
export const MAX_ORDERS = 10_000;

/** None if the file does not exist. Throws if it cannot be read: orders that were acknowledged must not be lost silently. */
export function readOrders(file: string): Orders {
  const orders = new Map<string, OperatorOrder>();
  for (const [subject, line] of Object.entries(readObject(file))) {
    const order = parseOrder(String(line));
    if (typeof order === 'string') throw damaged(file, `${subject}: ${order}`);
    orders.set(subject, order);
  }
  if (orders.size > MAX_ORDERS) throw damaged(file, `it has ${orders.size} orders, at most ${MAX_ORDERS} are kept`);
  return orders;
}

function readObject(file: string): object {
  let text: string;
  try {
    text = readRegularFileSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw damaged(file, (error as Error).message);
  }
  if (text.length > MAX_BYTES) throw damaged(file, `it is longer than ${MAX_BYTES} bytes`);
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch (error) {
    throw damaged(file, (error as Error).message);
  }
  throw damaged(file, 'expected a JSON object');
}

const damaged = (file: string, problem: string): Error =>
  new Error(`operatorFile ${file} cannot be read: ${problem}. Correct it, or delete it to start without orders`);

/** Replaces the file as a whole; resolves once the orders would survive a crash. */
export async function writeOrders(file: string, orders: Orders): Promise<void> {
  try {
    await replaceFile(file, orders);
  } catch (error) {
    const { message } = error as Error;
    throw new Error(`operatorFile ${file} cannot be written: ${message}`, { cause: error });
  }
}

async function replaceFile(file: string, orders: Orders): Promise<void> {
  const lines = Object.fromEntries([...orders].map(([subject, order]) => [subject, formatOrder(order)]));
  const temporary = `${file}.new`;
  const handle = await open(temporary, 'w', 0o600);
  try {
    await handle.writeFile(`${JSON.stringify(lines, null, 2)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, file);
  const folder = await open(dirname(file), 'r');
  await folder.sync().finally(() => folder.close());
}
