"""What awscli itself makes of the same clock and keys: reads cases from stdin, writes an answer for each."""
import datetime
import json
import os
import sys

os.environ.update(AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull, AWS_EC2_METADATA_DISABLED="true")

import awscli.clidriver
import botocore.auth
import botocore.session
from awscli.customizations.eks.get_token import STSClientFactory, TokenGenerator
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials


session = botocore.session.Session()


def session_of(case):
    session.set_credentials(case["accessKeyId"], case["secretAccessKey"], case.get("sessionToken"))
    return session


def describe(case):
    """DescribeCluster as botocore sends it, with no more headers than have to be signed."""
    client = session_of(case).create_client("eks", region_name=case["region"])
    url = f"{client.meta.endpoint_url}/clusters/{case['name']}"
    request = AWSRequest("GET", url)
    credentials = Credentials(case["accessKeyId"], case["secretAccessKey"], case.get("sessionToken"))
    botocore.auth.SigV4Auth(credentials, "eks", case["region"]).add_auth(request)
    return {"url": url, "authorization": request.headers["Authorization"]}


asked = json.load(sys.stdin)
if asked == "regions":
    regions = [r for p in session.get_available_partitions() for r in session.get_available_regions("sts", p)]
    print(json.dumps([r for r in regions if "fips" not in r and not r.endswith("global")]))
else:
    answers = []
    for case in asked:
        now = datetime.datetime.fromtimestamp(case["now"] / 1000, datetime.timezone.utc).replace(tzinfo=None)
        botocore.auth.get_current_datetime = lambda *_: now
        sts = STSClientFactory(session_of(case)).get_sts_client(region_name=case["region"])
        answers.append({"token": TokenGenerator(sts).get_token(case["name"]), "describe": describe(case)})
    print(json.dumps(answers))
