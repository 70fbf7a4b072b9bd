#!/usr/bin/env bash
# curl -N, as the documents call it. curl neither reconnects nor resumes, so the loop does what its user would.
# Usage: curl.sh URL [TOKEN]; what it prints is described in ../README.md.
set -uo pipefail

url=$1 token=${2-} last_id=
while true; do
    headers=(-H "Accept: text/event-stream")
    [[ $token ]] && headers+=(-H "Authorization: Bearer $token")
    [[ $last_id ]] && headers+=(-H "Last-Event-ID: $last_id")
    name='' data=''
    while IFS= read -r line; do
        case ${line%$'\r'} in
            "HTTP/1.1 200 "*) echo open ;;
            "HTTP/1.1 "*) echo "refused ${line:9:3}"; exit ;;
            "event: "*) name=${line#event: } ;;
            "id: "*) last_id=${line#id: } ;;
            "data: "*) data=${line#data: } ;;
            "")
                if [[ $data ]]; then
                    [[ $data =~ \"subject\":\{\"id\":\"([^\"]*) ]] && subject=${BASH_REMATCH[1]} || subject=-
                    echo "event $name $last_id $subject"
                fi
                name='' data=''
                ;;
        esac
    done < <(curl --silent --no-buffer --include "${headers[@]}" "$url")
    sleep 0.2
done
