/**
 * Preloaded into a program that we start: it ends when we do. Our end of its standard input closes then, even if
 * we are killed and can send no signal.
 */
process.stdin.once('end', () => process.kill(process.pid, 'SIGTERM')).resume();
