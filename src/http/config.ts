// GET /config: which configuration is in force, and which was refused.
import { type ConfigStatus, describeConfig } from '../config/in-force.ts';
import { type Endpoint, json, text, wantsText } from './endpoint.ts';

export const configEndpoint = (status: () => ConfigStatus): Endpoint => ({
  path: '/config',
  methods: ['GET'],
  handle: (request) => (wantsText(request) ? text(200, describeConfig(status()).join('\n')) : json(200, status())),
});
