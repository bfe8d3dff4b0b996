export interface NginxOptions {
  readonly folder: string;
  readonly port: number;
  /** `host:port` of the target. */
  readonly target: string;
  /** `host:port` that gets a copy of every request; null: no copies. */
  readonly mirror: string | null;
}

/** One worker, kept connections to the target, no access log, nothing spooled to disk. */
export function nginxConfig({ folder, port, target, mirror }: NginxOptions): string {
  const copy =
    mirror === null
      ? ''
      : `location = /mirror {
      internal;
      proxy_pass http://copies$request_uri;
    }`;
  return `daemon off;
worker_processes 1;
worker_rlimit_nofile 19000;
pid ${folder}/nginx.pid;
error_log stderr crit;
events { worker_connections 18000; }
http {
  access_log off;
  keepalive_requests 100000000;
  keepalive_timeout 600s;
  client_max_body_size 0;
  client_body_temp_path ${folder};
  proxy_temp_path ${folder};
  fastcgi_temp_path ${folder};
  uwsgi_temp_path ${folder};
  scgi_temp_path ${folder};
  proxy_request_buffering off;
  proxy_max_temp_file_size 0;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $http_host;
  proxy_set_header X-Forwarded-For $remote_addr;
  proxy_set_header X-Forwarded-Proto $scheme;
  upstream target { server ${target}; keepalive 512; keepalive_requests 100000000; }
  ${mirror === null ? '' : `upstream copies { server ${mirror}; keepalive 512; keepalive_requests 100000000; }`}
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      ${mirror === null ? '' : 'mirror /mirror;'}
      proxy_pass http://target;
    }
    ${copy}
  }
}
`;
}
