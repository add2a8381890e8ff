import { Component, type ReactNode } from 'react';
import { TroublePage } from './trouble-page.tsx';

/** A fault of ours on one page is told on that page, with a way to try again; the frame around it stays. */
export class ErrorBoundary extends Component<{ readonly children: ReactNode }, { readonly error?: unknown }> {
  override state: { readonly error?: unknown } = {};

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override render() {
    if (this.state.error === undefined) return this.props.children;
    return <TroublePage error={this.state.error} onRetry={() => this.setState({ error: undefined })} />;
  }
}
