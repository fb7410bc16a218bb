// Reloads are atomic: every part is prepared beside the running one, and takes effect only when all are prepared.

export interface Prepared {
  /** Takes effect. Cannot fail. */
  commit(): Promise<void>;
  /** Releases what was prepared; nothing has changed. */
  release(): Promise<void>;
}

/** Prepares one after the other. If one rejects, those before it are released, and this rejects. */
export async function prepareAll(parts: readonly (() => Promise<Prepared>)[]): Promise<Prepared> {
  const prepared: Prepared[] = [];
  const release = async () => {
    for (const one of prepared.splice(0).reverse()) await one.release();
  };
  try {
    for (const prepare of parts) prepared.push(await prepare());
  } catch (error) {
    await release();
    throw error;
  }
  return {
    async commit() {
      for (const one of prepared) await one.commit();
    },
    release,
  };
}

/** Of a part that has not changed, or that cannot be prepared without taking effect: the last one. */
export const NOTHING_TO_DO: Prepared = { commit: async () => {}, release: async () => {} };
