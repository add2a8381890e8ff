/** The operator's and developer's application. */
export function Dashboard() {
  return (
    <main>
      <h1>Inlay</h1>
    </main>
  );
}
