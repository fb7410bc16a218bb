// Why a node answers a name as it does, for people: what is held of it, since when it may be wrong, and who is asked otherwise.
import { formatName, isSubdomain, parseName, type WireName } from '../dns/name.ts';
import { formatRdata } from '../dns/rdata/rdata.ts';
import { TYPE, typeName } from '../dns/types.ts';
import type { AgentState } from './agent.ts';
import type { HeldView } from './held.ts';

export function explainName(agent: AgentState, name: WireName): string {
  const { config, replicas, answering, held } = agent;
  const zone = config.zones.map((one) => parseName(one)).find((one) => isSubdomain(name, one));
  const [forwarder] = answering.engine.forwarders;
  const { rules, route } = forwarder.explain(name, TYPE.A);
  const lines = [formatName(name)];
  if (zone === undefined) {
    lines.push('  not of our zones', ...rules.map((rule) => `  ${rule}`));
    lines.push(route === undefined ? '  not forwarded: REFUSED' : `  forwarded to ${route.upstreams.join(', ')}`);
    return `${lines.join('\n')}\n`;
  }
  const session = replicas.session();
  const state =
    session === undefined
      ? `no session: ${replicas.trouble() || 'connecting'} (${replicas.address()} is tried next)`
      : `session to ${replicas.address()}`;
  lines.push(`  zone ${formatName(zone)}, ${state}`);
  const views = held.view(name);
  if (views.length === 0) lines.push(`  nothing is held: ${whoIsAsked(agent)}`);
  const isAlias = views.some(({ type }) => type === TYPE.CNAME);
  for (const view of views) if (!isAlias || view.type === TYPE.CNAME) lines.push(...linesOf(view));
  return `${lines.join('\n')}\n`;
}

function whoIsAsked({ config, replicas }: AgentState): string {
  if (replicas.session() === undefined)
    return config.replicas.dns.length === 0 ? 'the next question is SERVFAIL' : '`replicas.dns` is asked';
  const seconds = config.hold.negativeSeconds;
  return `the next question is forwarded to the replica, and subscribed; "no such name" is cached for ${seconds} s`;
}

const STATES: Record<HeldView['state'], string> = {
  fresh: 'true at this moment',
  ageing: 'from before the session was lost',
  asked: 'subscribed, nothing received yet',
  empty: 'subscribed, has no records: the replica is asked each time',
  expired: 'nothing that is held is young enough without a session',
};

function linesOf(view: HeldView): string[] {
  const { type, state, ttlSeconds, unusedMs, routing, maxAnswers } = view;
  const answered = routing === 'weighted' ? ', one by weight' : maxAnswers > 0 ? `, at most ${maxAnswers}` : '';
  const used = unusedMs === 0 ? 'in use' : `unused for ${Math.round(unusedMs / 1000)} s`;
  const ttl = view.records.length === 0 ? '' : `, TTL ${ttlSeconds} s`;
  return [
    `  ${typeName(type)} ${STATES[state]}${ttl}${answered}; ${used}`,
    ...view.records.map(({ rdata, weight }) => {
      const weighted = routing === 'weighted' ? ` weight ${weight}` : '';
      return `    ${formatRdata(type, rdata)}${weighted}`;
    }),
  ];
}
