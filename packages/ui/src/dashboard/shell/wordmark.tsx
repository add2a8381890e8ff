/** Three pieces set flush into one another. */
export function Mark() {
  return (
    <svg viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d="M2 4.5A2.5 2.5 0 0 1 4.5 2H13v9H2z" fill="var(--accent-text)" />
      <path d="M14.5 2h5A2.5 2.5 0 0 1 22 4.5v15a2.5 2.5 0 0 1-2.5 2.5h-5z" fill="var(--ink)" />
      <path d="M2 12.5h11V22H4.5A2.5 2.5 0 0 1 2 19.5z" fill="var(--line-strong)" />
    </svg>
  );
}
