// Which access list rule, rewrite and search path apply to a query: for explanations, off the answer path.
import { formatName, sameName, type WireName } from '../dns/name.ts';
import type { FrontSettings } from '../plane/forward-settings.ts';
import type { QueryPathRequest } from '../plane/query-path.ts';
import { createAcl } from './acl.ts';
import { createRewriter } from './rewrite.ts';

export interface FrontPath {
  readonly rules: readonly string[];
  /** The question that the rest of the data thread answers. */
  readonly name: WireName;
}

export function explainFront({ acl, rewrites, autopath }: FrontSettings, request: QueryPathRequest): FrontPath {
  const { name, type, client } = request;
  const rules: string[] = [];
  /** The first rule for a question, -1 if none is. */
  const ruleFor = (asked: { readonly name: WireName; readonly type: number }) =>
    acl.findIndex((rule) => {
      if (client === undefined && rule.networks.length > 0) return false;
      return createAcl([{ ...rule, action: 'block' }])(client ?? new Uint8Array(4), asked.name, asked.type) === 'block';
    });
  const first = ruleFor(request);
  if (first >= 0) rules.push(`acl rule ${first + 1}: ${acl[first].action}`);
  else if (acl.length > 0) rules.push(`acl: allowed, no rule matches${client === undefined ? ' every client' : ''}`);
  const rewritten = createRewriter(rewrites)(name, type);
  if (rewritten !== undefined) {
    const at = rewrites.findIndex((rule) => createRewriter([rule])(name, type) !== undefined);
    const isRenamed = !sameName(rewritten.name, name);
    const what = isRenamed ? `asks for ${formatName(rewritten.name)} instead` : 'changes the type or the answer';
    rules.push(`rewrite rule ${at + 1}: ${what}`);
    const second = ruleFor(rewritten);
    if (second >= 0 && second !== first) rules.push(`acl rule ${second + 1}: ${acl[second].action}`);
  } else if (autopath !== undefined) rules.push(`autopath: the search path of pods in ${autopath.zone} is walked here`);
  return { rules, name: rewritten?.name ?? name };
}
