// Where an operator's order is kept, and how it becomes a fact: a pod keeps it as an annotation and a Cloud Map instance in
// its record, so that every replica sees it and it is gone with them; any other instance in the operators' file.
import type { Clock } from '../clock.ts';
import type { State } from '../cloudmap/cloud-map-state.ts';
import { keepsOrders, orderInstance } from '../cloudmap/operator-orders.ts';
import { formatOrder, type OperatorOrder, ORDER_ANNOTATION, operatorFact } from '../health/operator-order.ts';
import type { KeptIn, Operators } from '../http/drain.ts';
import type { InstanceState } from '../registry/model.ts';
import { INSTANCE, POD } from '../registry/reference.ts';
import type { Registry } from '../registry/registry.ts';
import type { KubernetesSources } from './kubernetes-sources.ts';
import { MAX_ORDERS, type Orders, readOrders, writeOrders } from './operator-file.ts';
import type { Prepared } from './reload.ts';

export interface OperatorsSettings {
  readonly registry: Registry;
  readonly sources: Pick<KubernetesSources, 'annotate'>;
  readonly cloudMap: () => State | undefined;
  readonly clock: Clock;
}

export interface RunningOperators extends Operators {
  /**
   * Reads the orders of this file, in place of those of another one; those in memory stay in force and are written to it.
   * Without a file, those in force stay in memory. Rejects if it cannot be read.
   */
  prepare(file: string | undefined): Promise<Prepared>;
}

export function createOperators({ registry, sources, cloudMap, clock }: OperatorsSettings): RunningOperators {
  let file: string | undefined;
  let orders: Orders = new Map();
  /** Writes happen one after another. */
  let lastWrite: Promise<void> = Promise.resolve();

  const state = (subject: string, order: OperatorOrder | undefined) =>
    registry.replaceFacts(subject, 'operator', order === undefined ? [] : [operatorFact(order, clock.now())]);

  const isInForce = ({ untilMs }: OperatorOrder) => untilMs === undefined || untilMs > clock.now();

  async function keepHere(subject: string, order: OperatorOrder | undefined): Promise<KeptIn> {
    const next = new Map([...orders].filter(([other, each]) => other !== subject && isInForce(each)));
    if (order !== undefined) next.set(subject, order);
    if (next.size > MAX_ORDERS) throw new Error(`at most ${MAX_ORDERS} orders are kept: withdraw others first`);
    const to = file;
    if (to !== undefined) await writeOrders(to, next);
    orders = next;
    state(subject, order);
    return to === undefined ? 'memory' : 'file';
  }

  return {
    async order(instance, order) {
      const { service } = instance;
      const { id } = instance.instance;
      const pod = podOf(instance);
      if (pod !== undefined) {
        const value = order && formatOrder(order);
        const isKept = await sources.annotate(POD.parse(pod)!, { name: ORDER_ANNOTATION, value });
        if (isKept) {
          // Its watch will report the same.
          state(pod, order);
          return 'pod';
        }
      }
      const records = cloudMap();
      if (records !== undefined && keepsOrders(records, service.key, id)) {
        await orderInstance(records, service.key, id, order);
        return 'cloud-map';
      }
      const kept = lastWrite.then(() => keepHere(INSTANCE.format(service.key, id), order));
      lastWrite = kept.then(
        () => {},
        () => {},
      );
      return kept;
    },
    subjectOf: (instance) => podOf(instance) ?? INSTANCE.format(instance.service.key, instance.instance.id),
    async prepare(next) {
      if (next === undefined || next === file)
        return {
          async commit() {
            file = next;
          },
          release: async () => {},
        };
      const read = readOrders(next);
      const withThoseInMemory = (): Orders =>
        new Map([...(file === undefined ? [...orders].filter(([, order]) => isInForce(order)) : []), ...read]);
      const adds = withThoseInMemory().size > read.size;
      if (adds) await writeOrders(next, withThoseInMemory());
      return {
        async commit() {
          const all = withThoseInMemory();
          for (const subject of orders.keys()) state(subject, undefined);
          file = next;
          orders = all;
          for (const [subject, order] of orders) state(subject, order);
        },
        release: async () => {
          if (adds) await writeOrders(next, read);
        },
      };
    },
  };
}

const podOf = ({ instance }: InstanceState): string | undefined =>
  instance.subjects.find((subject) => POD.parse(subject) !== undefined);
