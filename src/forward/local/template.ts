// Answers made from a name's text: `ip-10-0-0-1.example` → 10.0.0.1. The simple cases of CoreDNS's `template`.
import { formatName, isSubdomain, parseName } from '../../dns/name.ts';
import { compilePattern } from '../../dns/pattern.ts';
import { composeRdata } from '../../dns/rdata/rdata.ts';
import { RCODE, TYPE } from '../../dns/types.ts';
import type { TemplateSettings } from '../../plane/forward-settings.ts';
import type { Answer } from '../upstream/answer.ts';
import { statedAnswer, withSoa } from '../upstream/answer.ts';
import type { ForwardQuestion } from '../upstream/question.ts';

/** The first matching template applies. */
export function createTemplates(
  settings: readonly TemplateSettings[],
): (question: ForwardQuestion) => Answer | undefined {
  const templates = settings.map((template) => ({
    ...template,
    zone: parseName(template.zone),
    pattern: template.match === undefined ? undefined : compilePattern(template.match),
  }));
  return (question) => {
    for (const template of templates) {
      if (template.type !== 0 && template.type !== question.type) continue;
      if (!isSubdomain(question.name, template.zone)) continue;
      const name = formatName(question.name);
      const match = template.pattern === undefined ? [name] : template.pattern.exec(name);
      if (match === null) continue;
      const answer = statedAnswer(question, rdataOf(template.values, match, question.type), template.ttlSeconds);
      const isAnswer = template.rcode === RCODE.NOERROR || template.rcode === RCODE.NXDOMAIN;
      const whole = isAnswer ? withSoa(answer, template.zone, template.ttlSeconds) : answer;
      return { ...whole, rcode: template.rcode };
    }
    return undefined;
  };
}

/** Invalid values (such as the address 300.0.0.1) yield no record. */
function rdataOf(values: readonly string[], match: readonly string[], type: number): Uint8Array[] {
  if (type === TYPE.ANY) return [];
  return values.flatMap((value) => {
    const text = value.replace(/\$([0-9])/g, (_, group: string) => match[Number(group)] ?? '');
    try {
      return [composeRdata(type, text)];
    } catch {
      return [];
    }
  });
}
