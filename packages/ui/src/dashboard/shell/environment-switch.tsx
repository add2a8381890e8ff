import { SegmentedControl } from '@mantine/core';
import { useNavigate } from '@tanstack/react-router';
import { Icon } from '#components/icon.tsx';
import type { Environment } from '../api/http.ts';
import { useEnvironment } from './environment.ts';

/** Goes to the home page of the other environment: what is open here does not exist there. */
export function EnvironmentSwitch({ onSwitch }: { onSwitch?: () => void }) {
  const environment = useEnvironment();
  const navigate = useNavigate();
  const change = (other: string) => {
    onSwitch?.();
    void navigate({ to: '/$environment', params: { environment: other as Environment } });
  };
  return (
    <div className="env-switch">
      <SegmentedControl
        aria-label="Environment"
        value={environment}
        onChange={change}
        data={[
          {
            value: 'test',
            label: (
              <span className="env-option">
                <Icon name="flask" /> Test
              </span>
            ),
          },
          {
            value: 'production',
            label: (
              <span className="env-option">
                <Icon name="globe" /> Production
              </span>
            ),
          },
        ]}
      />
    </div>
  );
}

/** Says on every page which environment it shows: in words, with a drawing and a pattern. */
export function EnvironmentBand() {
  const environment = useEnvironment();
  return environment === 'test' ? (
    <section className="band band-test" aria-label="Environment">
      <Icon name="flask" />
      <span>
        Test environment <span className="band-note">· nothing here touches your customers</span>
      </span>
    </section>
  ) : (
    <section className="band band-production" aria-label="Environment">
      <Icon name="globe" />
      <span>
        Production environment <span className="band-note">· your customers’ data</span>
      </span>
    </section>
  );
}
