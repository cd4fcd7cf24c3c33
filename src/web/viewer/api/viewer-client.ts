/** Requests of the viewer's page, as whoever is signed in. Addresses are relative: the page may be below any path. */
import { signal } from '@preact/signals';
import { requestService, ServiceError } from '../../addons/shared/service-client.ts';
import type { SessionJson } from './viewer-json.ts';

export class ViewerClient {
  /** Who is signed in; undefined while that isn't known, null when nobody is. */
  readonly session = signal<SessionJson | null | undefined>(undefined);

  /** @throws ServiceError */
  async get<T>(path: string, abort?: AbortSignal): Promise<T> {
    const response = await this.request(path, 'GET', undefined, abort);
    return response.json() as Promise<T>;
  }

  /** Changes something; undefined when the answer has no body. @throws ServiceError */
  async change<T>(method: 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: object): Promise<T> {
    const response = await this.request(path, method, body);
    const text = await response.text();
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  /** Sends a piece of a file. @throws ServiceError */
  async sendBytes(path: string, bytes: Blob): Promise<void> {
    await this.request(path, 'PUT', bytes);
  }

  private async request(path: string, method: string, body?: object, abort?: AbortSignal): Promise<Response> {
    const csrf = this.session.value?.csrf;
    try {
      return await requestService(path, method, body, {
        headers: csrf && method !== 'GET' ? { 'x-csrf-token': csrf } : undefined,
        signal: abort,
      });
    } catch (error) {
      // Signed off elsewhere, or for too long: the page asks again who it is.
      if (error instanceof ServiceError && error.status === 401 && this.session.value)
        this.session.value = null;
      throw error;
    }
  }
}
