// GET /config: which configuration is in force, and which was refused.
import { type ConfigStatus, describeConfig } from '../config/in-force.ts';
import { type Endpoint, formatFor, json, text } from './endpoint.ts';

export const configEndpoint = (status: () => ConfigStatus): Endpoint => ({
  path: '/config',
  methods: ['GET'],
  handle: (request) =>
    formatFor(request) === 'json' ? json(200, status()) : text(200, describeConfig(status()).join('\n')),
});
