import { Heading } from '../layout.tsx';
import { ButtonLink } from '../ui/parts.tsx';

/** A page that cannot be shown, or an act that was refused before it began. */
export function Apology({
  status,
  message,
  requestId,
  home,
}: {
  status: number;
  message: string | undefined;
  requestId: string;
  home: string;
}) {
  const [title, lead] =
    status === 404
      ? ['There is nothing here', 'The address may be mistyped, or what was here is gone.']
      : status >= 500
        ? [
            'Something went wrong on our side',
            'It is written down, and nothing was charged that you did not see. Try again in a moment.',
          ]
        : ['That was not done', message ?? 'Nothing was changed.'];
  return (
    <>
      <Heading title={title} lead={status >= 500 && message !== undefined ? message : lead} />
      <p>
        <ButtonLink to={home} kind="primary">
          {home === '/plans' ? 'See the plans' : home === '/desk' ? 'To the desk' : 'To your account'}
        </ButtonLink>
      </p>
      <p class="fine">Reference for our staff: {requestId}</p>
    </>
  );
}
