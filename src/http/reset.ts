// POST /reset: empties Cloud Map and ECS between the tests of a user's suite.
import { type Endpoint, text } from './endpoint.ts';
import { refusalOfWrite } from './writes.ts';

export const resetEndpoint = (reset: () => Promise<void>): Endpoint => ({
  path: '/reset',
  methods: ['POST'],
  async handle(request) {
    const refusal = refusalOfWrite(request, 'loopback');
    if (refusal !== undefined) return text(403, refusal);
    await reset();
    return { status: 204, type: 'text/plain', body: '' };
  },
});
