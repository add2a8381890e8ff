import { Page } from '../../parts/page.tsx';
import { KeyPiece } from './key-piece.tsx';

/** The keys of both environments. */
export function ApiKeysPage() {
  return (
    <Page title="API keys" lead="The key decides the environment: there is no other switch in a request.">
      <div className="stack">
        <KeyPiece environment="test" />
        <KeyPiece environment="production" />
      </div>
    </Page>
  );
}
