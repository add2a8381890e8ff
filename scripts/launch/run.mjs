import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import path from 'node:path';
import { checkout } from './paths.mjs';

/** Node keeps what it compiled: a warm start loads in half the time. */
const compileCache = path.join(checkout, 'node_modules/.cache/node-compile');

const forwarded = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * Runs a program in our place: same terminal, signals passed on, its exit code as the result. Ctrl-C reaches the
 * program from the terminal as well, so the program must take two signals in quick succession for one.
 */
export function handOver(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const env = { NODE_COMPILE_CACHE: compileCache, ...(options.env ?? process.env) };
    const child = spawn(command, args, { stdio: 'inherit', ...options, env });
    const pass = (signal) => child.kill(signal);
    for (const signal of forwarded) process.on(signal, pass);
    const done = () => {
      for (const signal of forwarded) process.off(signal, pass);
    };
    child.once('error', (error) => {
      done();
      reject(error);
    });
    child.once('exit', (code, signal) => {
      done();
      resolve(code ?? 128 + constants.signals[signal]);
    });
  });
}

/** Runs a program quietly and answers with its exit code and all it printed. */
export function capture(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.once('error', reject);
    child.once('close', (code) => resolve({ code: code ?? 1, output }));
  });
}
