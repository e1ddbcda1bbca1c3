<?php

/**
 * A balance provider on PHP's SoapServer: it shares no code, no library and no namespace with the project.
 *
 * Runs as the router of `php -S`. Its accounts and call counters live in the JSON file that the environment
 * variable PROVIDER_STATE names; whoever reads or writes that file holds an flock on it, so that a test can
 * change accounts between two calls and finds every call counted exactly once.
 */

declare(strict_types=1);

const WSDL = __DIR__ . '/provider.wsdl';
const SERVICE_PATH = '/soap/balance';

const COMPLETED = 200;
const WRONG_CREDENTIAL = 601;
const NO_PERMISSION = 620;

/**
 * Counts a call under the given user name, known or not, and under "NAME RFC" where it asks for an issuer;
 * returns the account, or null where there is none.
 */
function count_call(string $username, ?string $rfc = null): ?array
{
    $file = fopen(getenv('PROVIDER_STATE'), 'r+');
    flock($file, LOCK_EX);
    $state = json_decode(stream_get_contents($file), true, flags: JSON_THROW_ON_ERROR);
    $state['calls'][$username] = ($state['calls'][$username] ?? 0) + 1;
    if ($rfc !== null) {
        $state['calls']["$username $rfc"] = ($state['calls']["$username $rfc"] ?? 0) + 1;
    }
    rewind($file);
    ftruncate($file, 0);
    fwrite($file, json_encode($state, JSON_THROW_ON_ERROR | JSON_FORCE_OBJECT));
    fclose($file); // gives the lock back
    return $state['accounts'][$username] ?? null;
}

/** The fields of a ResponseTimbres; a figure that the account has not is left out. */
function answer(?array $account, string $password): array
{
    if ($account === null || !hash_equals($account['password'], $password)) {
        return ['status' => WRONG_CREDENTIAL, 'mensaje' => 'El usuario o la contraseña son inválidos'];
    }
    $fields = [
        'status' => $account['code'],
        'mensaje' => $account['code'] === COMPLETED ? 'Operación realizada con éxito' : 'No fue posible',
        'contratados' => $account['contracted'],
        'usados' => $account['used'],
        'disponibles' => $account['available'],
    ];
    return array_filter($fields, fn (mixed $value): bool => $value !== null);
}

/** The operations of the service, as its WSDL names them. */
final class Balance
{
    public function getTimbresImplementacion(object $request): array
    {
        $account = count_call($request->usuario ?? '');
        usleep((int) (($account['delay'] ?? 0) * 1_000_000));
        return ['return' => answer($account, $request->password ?? '')];
    }

    /** Of an issuer that the account hasn't this provider says that permission is denied. */
    public function getTimbres(object $request): array
    {
        $rfc = $request->rfcEmisor ?? '';
        $account = count_call($request->usuario ?? '', $rfc);
        usleep((int) (($account['delay'] ?? 0) * 1_000_000));
        $answer = answer($account, $request->password ?? '');
        if ($answer['status'] !== COMPLETED) {
            return ['return' => $answer];
        }
        $issuer = $account['issuers'][$rfc] ?? null;
        if ($issuer === null) {
            return ['return' => ['status' => NO_PERMISSION, 'mensaje' => 'Permiso denegado']];
        }
        return ['return' => answer($issuer + ['password' => $account['password']], $account['password'])];
    }
}

function serve(): void
{
    if (parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH) !== SERVICE_PATH) {
        http_response_code(404);
        return;
    }
    if ($_SERVER['REQUEST_METHOD'] === 'GET' && isset($_GET['wsdl'])) {
        header('Content-Type: text/xml; charset=utf-8');
        readfile(WSDL);
        return;
    }
    $server = new SoapServer(WSDL, ['cache_wsdl' => WSDL_CACHE_NONE, 'soap_version' => SOAP_1_1]);
    $server->setClass(Balance::class);
    $server->handle();
}

serve();
