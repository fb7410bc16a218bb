// The options of commands that ask a running server.
import { Option } from 'commander';

export function httpOption(): Option {
  return new Option('--http <url>', "the server's `admin` address, or its `http` address on loopback")
    .default('http://127.0.0.1:8053')
    .env('HEALTHDNS_HTTP');
}

export function tokenOption(): Option {
  return new Option('--token-file <file>', "file with the server's adminToken").env('HEALTHDNS_TOKEN_FILE');
}
