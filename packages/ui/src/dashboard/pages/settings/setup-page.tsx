import { useQuery } from '@tanstack/react-query';
import { organizationQuery } from '../../api/organization.ts';
import { CopyLine } from '../../parts/copy.tsx';
import { Page, Piece } from '../../parts/page.tsx';
import { Loaded } from '../../parts/states.tsx';
import { useEnvironment } from '../../shell/environment.ts';
import { KeyPiece } from './key-piece.tsx';

/** Who your product is to Inlay: names and the key of this environment. */
export function SetupPage() {
  const environment = useEnvironment();
  const organization = useQuery(organizationQuery);
  return (
    <Page title="Setup" lead="What your server needs to call Inlay in this environment.">
      <div className="stack">
        <Piece title="Your App">
          <Loaded query={organization}>
            {(data) => (
              <dl className="facts">
                <dt>Slug</dt>
                <dd>
                  <CopyLine value={data.slug} what="slug" />
                </dd>
                <dt>Application ID</dt>
                <dd>
                  <CopyLine value={data.id} what="Application ID" />
                </dd>
                <dt>Base URL</dt>
                <dd>
                  <CopyLine value={window.location.origin} what="base URL" />
                </dd>
              </dl>
            )}
          </Loaded>
        </Piece>
        <KeyPiece environment={environment} />
      </div>
    </Page>
  );
}
