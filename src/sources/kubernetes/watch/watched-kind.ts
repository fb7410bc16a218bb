// The interface of a kind of object for list-and-watch. Each kind has a file that implements it; a new kind is a new file and
// a line in source.ts.

import type { Schema } from '../../../reading/protobuf.ts';
import type { Fields, MalformedObject, Metadata } from '../api/objects.ts';

export interface WatchedKind {
  /** As in the API's paths and in RBAC: "endpointslices". */
  readonly resource: string;
  /** Distinguishes kinds of one resource in logs and metrics: "pods of KECS"; default: the resource. */
  readonly title?: string;
  /** "" is the core group. */
  readonly apiGroup: string;
  /** "/api/v1", "/apis/discovery.k8s.io/v1". */
  readonly groupVersionPath: string;
  /** Nothing can be answered without it: if it is denied (403), the source never becomes ready. */
  readonly essential: boolean;
  /** undefined: all namespaces, or the kind has none. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  /** The configuration's key for it. */
  readonly selectorKey?: 'labels' | 'namespaceLabels';

  /** The fields that `replace` reads, for protobuf; without it JSON is requested. */
  readonly protobuf?: Schema;

  /** The key of an object in the registry; a removed object is identified by it alone. */
  keyOf(namespace: string, name: string): string;
  /**
   * Applies the object to the registry. Throws MalformedObject if it cannot be translated; then its previous state stays.
   * Returns the problem of a skipped part. May be called again with the same object.
   */
  replace(key: string, metadata: Metadata, object: Fields): MalformedObject | undefined;
  /** The object was deleted. */
  remove(key: string): void;
  /** Resources whose objects repeat what those of this kind report, and stand in for it while it is not followed. */
  readonly repeatedBy?: readonly string[];
  /** The kind has been silent since then (wall clock) while the one that repeats it is followed; undefined: it is followed. */
  setStale?(sinceMs: number | undefined): void;
  /** These objects were restored from a snapshot. Called before anything else. */
  restored?(keys: Iterable<string>): void;
  /** The server has denied this kind for a while: withdraws these objects before they become outdated. */
  abandon?(keys: Iterable<string>): void;
}

/** "/api/v1/namespaces/shop/pods?labelSelector=…" with the given parameters. */
export function pathOf(kind: WatchedKind, parameters: Readonly<Record<string, string>>): string {
  const namespace = kind.namespace === undefined ? '' : `/namespaces/${encodeURIComponent(kind.namespace)}`;
  const query = new URLSearchParams(parameters);
  if (kind.labelSelector !== undefined) query.set('labelSelector', kind.labelSelector);
  return `${kind.groupVersionPath}${namespace}/${kind.resource}?${query}`;
}

/** The cause of a 400 from an API server: no other part of the request is configurable. */
export const selectorOf = ({ labelSelector, selectorKey }: WatchedKind): string =>
  labelSelector === undefined || selectorKey === undefined ? '' : `\`${selectorKey}: ${labelSelector}\`: `;

/** The rule that an administrator must add to the role if this kind is denied. */
export const missingRule = (kind: WatchedKind): string =>
  `- {apiGroups: ["${kind.apiGroup}"], resources: ["${kind.resource}"], verbs: ["list", "watch"]}`;

/** "pods", "pods in shop": for logs, metrics and /ready. */
export const labelOf = ({ title, resource, namespace }: WatchedKind): string =>
  namespace === undefined ? (title ?? resource) : `${title ?? resource} in ${namespace}`;
