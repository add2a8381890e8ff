import { t } from '../messages/messages.ts';

/** Stands where the list will be, in the same sizes, so nothing jumps when it arrives. */
export function ListSkeleton() {
  return (
    <div className="list" aria-busy="true">
      <p className="only-heard" role="status">
        {t('loading')}
      </p>
      <div aria-hidden="true">
        <div className="bone bone-title" />
        <div className="bone bone-line" />
        <div className="list-tools">
          <div className="bone bone-control" />
        </div>
        <div className="cards">
          {Array.from({ length: 6 }, (_, index) => (
            <div key={index} className="bone bone-card" />
          ))}
        </div>
      </div>
    </div>
  );
}

/** Stands where an app's page will be. */
export function AppSkeleton() {
  return (
    <div aria-busy="true">
      <p className="only-heard" role="status">
        {t('loading')}
      </p>
      <div aria-hidden="true">
        <div className="bone bone-app" />
        <div className="bone bone-panel" />
      </div>
    </div>
  );
}

/** Stands where an app's configuration will be. */
export function ConfigSkeleton() {
  return (
    <div aria-busy="true">
      <p className="only-heard" role="status">
        {t('loading')}
      </p>
      <div aria-hidden="true" className="bone bone-panel" />
    </div>
  );
}
