// Process metrics of the operating system and V8, under the names that Prometheus clients use.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { getHeapStatistics } from 'node:v8';
import type { Reading } from '../metrics.ts';
import { descriptorLimit } from './descriptor-limit.ts';

const PAGE_BYTES = 4096;

export function processReadings(startedMs: number): Reading[] {
  const { user, system } = process.cpuUsage();
  const heap = getHeapStatistics();
  return [
    { name: 'process_cpu_seconds_total', value: (user + system) / 1e6 },
    { name: 'process_resident_memory_bytes', value: process.memoryUsage.rss() },
    { name: 'process_start_time_seconds', value: startedMs / 1000 },
    ...linuxReadings(),
    { name: 'nodejs_heap_size_used_bytes', value: heap.used_heap_size },
    { name: 'nodejs_heap_size_total_bytes', value: heap.total_heap_size },
    { name: 'nodejs_external_memory_bytes', value: heap.external_memory },
  ];
}

/** Node raises the limit at its start, and it stays. */
let maxDescriptors: number | undefined;

function linuxReadings(): Reading[] {
  if (process.platform !== 'linux') return [];
  try {
    maxDescriptors ??= descriptorLimit();
    const pages = Number(readFileSync('/proc/self/statm', 'utf8').split(' ', 1)[0]);
    return [
      { name: 'process_virtual_memory_bytes', value: pages * PAGE_BYTES },
      { name: 'process_open_fds', value: openDescriptors() },
      ...(maxDescriptors === undefined ? [] : [{ name: 'process_max_fds' as const, value: maxDescriptors }]),
    ];
  } catch {
    return []; // no /proc
  }
}

/** Since Linux 6.2 the size of the folder is their number; before, they are listed. */
function openDescriptors(): number {
  const { size } = statSync('/proc/self/fd');
  return size > 0 ? size : readdirSync('/proc/self/fd').length;
}
