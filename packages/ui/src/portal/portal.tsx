/** The end customer's application: connect apps and configure them. */
export function Portal() {
  return (
    <main>
      <h1>Manage your integrations</h1>
    </main>
  );
}
