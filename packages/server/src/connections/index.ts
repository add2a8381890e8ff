export * from './session-jwt.ts';
