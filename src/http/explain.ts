import { NameError } from '../dns/name.ts';
import { type Endpoint, json, text, wantsText } from './endpoint.ts';
import type { Explanation } from './explanation.ts';
import { explanationText } from './explanation-text.ts';

/**
 * GET /explain/NAME: why NAME is answered as it is. JSON, or text by `Accept: text/plain` and `?format=text`. 404 where
 * nothing is known of the name (with the explanation all the same), 400 where it is no domain name. `?name=NAME` is for
 * the root: of a URL's path "." is taken away (RFC 3986 section 5.2.4).
 */
export const explainEndpoint = (explain: (name: string) => Explanation): Endpoint => ({
  path: '/explain/',
  methods: ['GET'],
  handle(request) {
    const name = request.rest === '' ? request.query.get('name') : request.rest;
    if (name === null || name === '') return text(400, 'a name is missing: /explain/api.production.local');
    try {
      const explanation = explain(name);
      const isUnknown = explanation.exists === 'absent' && explanation.services.length === 0;
      const status = isUnknown ? 404 : 200;
      const response = wantsText(request) ? text(status, explanationText(explanation)) : json(status, explanation);
      return { ...response, headers: { 'x-healthdns-explanation': '1' } }; // Tells our 404 from a stranger's.
    } catch (error) {
      if (error instanceof NameError) return text(400, error.message);
      throw error;
    }
  },
});
