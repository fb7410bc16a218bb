// One data thread's engine in this thread: zone text in, responses out, with a forwarder and what stands before the answers.

import { parseIp } from '../../src/dns/ip.ts';
import { type Message, parseMessage } from '../../src/dns/message/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { parseType } from '../../src/dns/types.ts';
import { createForwarder } from '../../src/forward/forwarder.ts';
import { FORWARD_DEFAULTS, type ForwardSettings, type FrontSettings } from '../../src/plane/forward-settings.ts';
import { fakeClock } from './fake-clock.ts';
import { type Asking, composeQuestion, routeTo } from './forwarding.ts';
import { createInProcessPlane } from './in-process.ts';
import { parseScenarios } from './scenario.ts';
import { createServed } from './served.ts';

const NOTHING: FrontSettings = { acl: [], rewrites: [], autopath: undefined, dns64: undefined, queryLog: undefined };

export interface EngineAsking extends Asking {
  readonly overTcp?: boolean;
  readonly class?: number;
}

/** `text`: the lines of a scenario, without questions. Other names are asked of the servers on `ports`, or as `forward` has it. */
export async function throughEngine(
  text: string,
  settings: Partial<FrontSettings> = {},
  ports: readonly number[] = [],
  forward?: Partial<ForwardSettings>,
) {
  const plane = createInProcessPlane({
    front: Object.keys(settings).length > 0 ? { ...NOTHING, ...settings } : undefined,
    forwarding: ports.length > 0 || forward !== undefined,
    createForwarder: (ours) =>
      createForwarder(
        {
          ...{ ...FORWARD_DEFAULTS, loopDetection: false, dns64: settings.dns64, routes: [routeTo('.', ports)] },
          ...forward,
        },
        { ...ours, clock: fakeClock(), log: () => {}, loopToken: 'loop0123' },
      ),
  });
  const served = createServed(plane);
  const change = async (lines: string) => {
    for (const step of parseScenarios('here', `scenario here\n${lines}`)[0].steps) {
      if (step.kind !== 'ask') served.step(step);
    }
    await served.flush();
  };
  await change(text);
  const { engine } = plane;
  return {
    change,
    /** The rules that apply to a question of this client, or of any. */
    explain(question: string, client?: string) {
      const [name, type] = question.split(' ');
      return engine.explainQuery({
        name: parseName(name),
        type: parseType(type) ?? 0,
        client: client === undefined ? undefined : parseIp(client),
      });
    },
    close: () => void engine.forwarders.map((forwarder) => forwarder.close()),
    async ask(question: string, { overTcp = false, class: asked = 1, ...asking }: EngineAsking = {}): Promise<Message> {
      const { bytes, questionEnd } = composeQuestion(question, asking);
      bytes[questionEnd - 1] = asked;
      const out = new Uint8Array(65_535);
      const response = engine.respond(bytes, bytes.length, out, overTcp, Uint8Array.of(127, 0, 0, 1));
      if (typeof response === 'number') return parseMessage(out.slice(0, response));
      return new Promise((resolve) =>
        response.resolve((late) => resolve(parseMessage(late.slice())), Uint8Array.of(127, 0, 0, 1)),
      );
    },
  };
}
